"""The operating systems of machines, by the words that bills and price lists have for them. Pure: no Django."""

from typing import Final

# In this order: a licence that comes with Windows is recognised before Windows.
SYSTEM_WORDS: Final = {
    "windows byol": "Windows BYOL",
    "sql server enterprise": "Windows with SQL Server Enterprise",
    "sql server standard": "Windows with SQL Server Standard",
    "sql server web": "Windows with SQL Server Web",
    "windows": "Windows",
    "rhel": "RHEL",
    "red hat": "RHEL",
    "suse": "SUSE",
    "ubuntu pro": "Ubuntu Pro",
}
