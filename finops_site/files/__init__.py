"""The files of the product, at one place for all hosts: a folder, or object storage."""
