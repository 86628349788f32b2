"""Bills of smaller vendors, one file for each. Pure: no Django."""
