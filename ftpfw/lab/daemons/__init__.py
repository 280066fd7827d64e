"""The lab's servers: each serves a directory to anonymous clients, and takes files in ``incoming``.

Pure: ``configurations`` (what each one is told). Shell: ``running`` (how one is started, known
to be ready, and ended with all that belongs to it).
"""
