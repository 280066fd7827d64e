from hypothesis import settings

# A deadline in absolute time says how busy the machine is, not whether the code is right.
settings.register_profile("ftpfw", deadline=None)
settings.load_profile("ftpfw")
