"""Where the stores that are measured lie: one place for each kind of store, with its floors."""
