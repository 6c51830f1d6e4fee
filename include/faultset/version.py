"""The version of this tool, for people; what tells its datasets apart is ``recipe.digest``."""

__version__ = "0.1.0"
