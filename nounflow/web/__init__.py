"""Pages in the browser: served to this machine alone, without a build step and without a request to the network."""
