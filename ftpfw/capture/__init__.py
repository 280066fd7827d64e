"""FTP in captures: what their sessions negotiated, and what the inspector made of it.

The very engine that a gateway runs is fed with the packets of a capture; its kernel is one
in memory, whose conntracks are the capture's own TCP connections.

Pure, frames in and a report out: ``linklayer`` (frames → IP packets), ``connections`` (TCP
connections), ``greeting`` (which of them are FTP), ``losses`` (what the capture has not),
``kernel`` (expectations), ``dialogue`` (lines, for reading), ``announced`` (notes →
negotiations), ``story`` (all of these around the engine), ``report``. Pure, drawing it:
``rungs``, ``ladder``, ``page``. Shell: ``reader`` (files).
"""
