"""placeholder"""

import sys

print(f"""[gateway]
inside  = ["inside0"]
outside = "outside0"
masquerade = true

[helper]
backend = "{sys.argv[2]}"

[clients]
allow = ["10.77.1.0/24"]
""")
