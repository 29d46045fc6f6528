//! A plan drawn: SVG, Mermaid and terminal art.
