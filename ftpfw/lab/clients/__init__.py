"""The lab's clients, each told which mode to use, and what shows that it did.

Pure: ``commands`` (what a client is told, what it cannot do, what its trace says). Shells:
``running`` (programs), ``python`` (ftplib).
"""
