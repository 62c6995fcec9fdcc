"""Classification suites: who gives which label, how often that is right, and how sure one can be of it."""
