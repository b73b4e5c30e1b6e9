"""What the jobs of a project cost: seconds and peak memory by rule, as Snakemake measured them.

python benchmarks/jobs.py phantom/project
"""

import csv
import sys
from pathlib import Path
from statistics import median


def main(project: Path) -> None:
    """Print the median duration, the sum and the largest memory of every rule."""
    print(f"{'rule':16} {'jobs':>5} {'median s':>9} {'sum s':>8} {'peak MB':>8}")
    for folder in sorted((project / "benchmarks").iterdir()):
        rows = [
            row
            for path in folder.glob("*.tsv")
            for row in csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        ]
        seconds = [float(row["s"]) for row in rows]
        # A job that ends within a second may not have been looked at: its memory reads NA.
        peaks = [float(row["max_rss"]) for row in rows if row["max_rss"] not in {"NA", "-"}]
        print(
            f"{folder.name:16} {len(rows):5d} {median(seconds):9.2f} {sum(seconds):8.1f} "
            f"{max(peaks, default=float('nan')):8.0f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
