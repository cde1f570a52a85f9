"""Looking at results of any size in a browser: `nounflow explore`."""
