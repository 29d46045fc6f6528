//! What those need who keep `aa` running: figures, traces, logs, an audit, copies, and a description that is true.

mod metrics;
