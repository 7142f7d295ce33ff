"""The demonstration: a simulated city, the whole hub, and a reader that checks what arrives."""
