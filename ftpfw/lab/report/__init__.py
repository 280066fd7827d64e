"""A run of the lab as one HTML page: tables, topologies, and ladders of both sides of a gateway.

Pure: ``ladders`` (two captures as one ladder), ``drawing`` (a topology), ``matrix_part`` and
``page``. The shell that hears what is drawn is `ftpfw.lab.evidence`.
"""
