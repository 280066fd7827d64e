"""The inspector: its engine (pure), and the queue loop, backends and daemon around it.

Eight things to know:

- A **flow** is a control connection whose conntrack carries our helper. It has two
  **halves**, one a direction, each with its stream, its lines and, where the sender is seen
  under another address, its outlet.
- A **walk** is what the engine does with one packet: a generator that yields commands
  (read a conntrack, expect a connection, adjust sequence numbers, note something), is sent
  their outcomes, and returns a verdict. Most packets need none: see ``Engine.glance``.
- An **outlet** decides which bytes of a rewritten direction leave, and with which sequence
  numbers, however the sender cuts and repeats them.
- A **session** follows who is logged in and which commands wait for their replies, where a
  check or the transfer log asks for it; else most lines are not even cut out.
- An **opaque** flow has turned to TLS: it is marked, passes unread, and vouches for the data
  connections that its client opens to the server's passive ports.
- A **backend** says where the helper extension comes from, and thereby at which hook
  packets reach us: before NAT (``borrowed``) or after it (``cthelper``).
- A **worker** is one queue with its engine; several queues are served by a **crew**.
- The main thread of a worker reads packets and nothing else. An **event loop** beside it, in a
  thread of its own, does all that may wait: the control socket, reloads, the transfer log, and
  the **keeper** of control connections whose transfers take long. Metrics have a thread too,
  and get what they serve over the control socket.

``tests/unit/test_imports.py`` lists the shells; every other module is pure.
"""
