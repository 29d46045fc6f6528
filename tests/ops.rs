//! What those need who keep `aa` running: figures, traces, logs, an audit, copies, and a description that is true.

mod audit;
mod backup;
mod contract;
mod log;
mod metrics;
mod settings;
mod traces;
