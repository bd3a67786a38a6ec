"""The command ``python -m anomaly_detection.calibration``."""

from anomaly_detection.calibration.calibrate_threshold import main

if __name__ == "__main__":
    main()
