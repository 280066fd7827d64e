"""The inspector: its engine (pure), and the queue loop, backends and daemon around it.

Five things to know:

- A **flow** is a control connection whose conntrack carries our helper. It has two
  **halves**, one a direction, each with its stream, its lines and, where the sender is seen
  under another address, its outlet.
- A **walk** is what the engine does with one packet: a generator that yields commands
  (read a conntrack, expect a connection, adjust sequence numbers, note something), is sent
  their outcomes, and returns a verdict. Most packets need none: see ``Engine.glance``.
- An **outlet** decides which bytes of a rewritten direction leave, and with which sequence
  numbers, however the sender cuts and repeats them.
- A **backend** says where the helper extension comes from, and thereby at which hook
  packets reach us: before NAT (``borrowed``) or after it (``cthelper``).
- A **worker** is one queue with its engine; several queues are served by a **crew**.

Pure: commands, engine, expecting, flow, outlet, tally. Shells: all the others.
"""
