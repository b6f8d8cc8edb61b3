"""The study of value distributions: heads side by side, caution where it pays, calibration."""
