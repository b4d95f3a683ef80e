"""What the scenes show: kinds of object, weather, and which source sees what."""

OBJECTS = ("person", "sign", "car")
CONDITIONS = ("day", "night", "haze")
# What the targets of each kind tell apart.
CLASSES = {"segmentation": ("background", *OBJECTS), "detection": OBJECTS, "classification": CONDITIONS}
# The source that shows each kind of object.
VISIBILITY = {"person": "ir", "sign": "vi", "car": "both"}
