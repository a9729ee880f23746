"""The Sites API: sites, their goals, properties, shared links and guests, by key."""
