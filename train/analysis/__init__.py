"""Analysis of finished runs: report, comparison, robustness, leaderboard."""
