/*---
description: How far and how straight players up to a handicap hit each club.
owner: data-engineering
parameters:
  - name: max_handicap
    type: decimal
    description: Players with a higher or an unknown handicap are left out.
    default: 18.0
  - name: from_day
    type: date
    description: First day (UTC) of the period.
    default: 2026-04-01
  - name: until_day
    type: date
    description: The day (UTC) after the last day of the period.
    default: 2027-01-01
  - name: min_shots
    type: integer
    description: Clubs with fewer shots in the period are left out.
    default: 20
columns:
  - { name: club, type: varchar, description: Club. }
  - { name: shots, type: bigint, description: Shots in the period. }
  - { name: players, type: bigint, description: Players who hit them. }
  - { name: carry_low, type: double, unit: m, description: One shot in ten carries less (approximately). }
  - { name: carry_median, type: double, unit: m, description: Half of the shots carry less (approximately). }
  - { name: carry_high, type: double, unit: m, description: One shot in ten carries more (approximately). }
  - { name: side_mean, type: double, unit: m, description: "Mean distance from the target line, to either side." }
  - { name: smash_factor_mean, type: double, description: Mean of ball speed over club speed. }
chart: { type: bar, x: club, y: carry_median }
byteLimit: 1000000000
---*/
WITH clubs AS (
  SELECT
    shots.club,
    count(*) AS shots,
    count(DISTINCT players.id) AS players,
    approx_percentile(CAST(shots.carry AS double), ARRAY[0.1, 0.5, 0.9]) AS carry,
    avg(CAST(abs(shots.side) AS double)) AS side_mean,
    avg(CAST(shots.smash_factor AS double)) AS smash_factor_mean
  FROM shots
  JOIN sessions ON sessions.id = shots.session_id
  JOIN players ON players.id = sessions.player_id
  WHERE players.handicap <= ?
    AND shots.hit_at >= ?
    AND shots.hit_at < ?
  GROUP BY shots.club
)
SELECT
  club,
  shots,
  players,
  round(carry[1], 1) AS carry_low,
  round(carry[2], 1) AS carry_median,
  round(carry[3], 1) AS carry_high,
  round(side_mean, 1) AS side_mean,
  round(smash_factor_mean, 3) AS smash_factor_mean
FROM clubs
WHERE shots >= ?
ORDER BY carry_median DESC
