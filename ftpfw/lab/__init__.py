"""Labs in network namespaces: what FTP does across a gateway, shown and held against a promise.

Pure: ``topology``, ``exercise``, ``talk`` (what ``labs/NAME/exercise.toml`` has), ``matrix`` (its
cells and what they should show), ``results`` and ``junit``, ``measures`` (the bench's arithmetic),
``clients.commands`` and ``daemons.configurations`` (what programs are told), ``report`` (the page).

Shells: ``library`` (where exercises are), ``hosts`` (namespaces), ``daemons.running``,
``scripted`` and ``gateway`` (what runs on them), ``stage`` (all of it up), ``clients.running``,
``clients.python``, ``talker`` and ``lean`` (who speaks FTP), ``steps``, ``running`` and
``matrix_run`` (the runs), ``standing`` (what stays up), ``captures`` and ``evidence`` (what was
heard), ``programs`` (what must be installed), and ``bench``.
"""
