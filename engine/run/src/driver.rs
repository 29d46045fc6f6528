//! The loop that gives a machine hands.
