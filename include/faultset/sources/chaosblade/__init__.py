"""ChaosBlade: the status of the experiments that ``blade create`` made."""
