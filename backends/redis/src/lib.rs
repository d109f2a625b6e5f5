//! A semafence backend.
