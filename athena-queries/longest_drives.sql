/*---
description: The longest drive of each of the twenty longest hitters, with what the radar measured.
owner: data-engineering
parameters:
  - name: from_day
    type: date
    description: First day (UTC) of the period.
    default: 2026-04-01
  - name: until_day
    type: date
    description: The day (UTC) after the last day of the period.
    default: 2027-01-01
  - name: min_ball_speed
    type: decimal
    description: Slower drives, in m/s, are left out as misreads.
    default: 60.0
columns:
  - { name: player_id, type: varchar, description: Who hit it. Names are kept as hashes only. }
  - { name: handicap, type: "decimal(3,1)", description: The player's handicap now; empty when unknown. }
  - { name: facility, type: varchar, description: Where it was hit. }
  - { name: hit_at, type: timestamp, unit: UTC, description: When it was hit. }
  - { name: ball_speed, type: "decimal(5,2)", unit: m/s, description: Speed of the ball after impact. }
  - { name: smash_factor, type: "decimal(4,3)", description: Ball speed over club speed. }
  - { name: launch_angle, type: "decimal(5,2)", unit: deg, description: Vertical angle at which the ball took off. }
  - { name: spin_rate, type: integer, unit: rpm, description: Spin of the ball after impact. }
  - { name: carry, type: "decimal(6,2)", unit: m, description: Distance in the air. }
  - { name: total, type: "decimal(6,2)", unit: m, description: Distance with roll. }
chart: { type: bar, x: player_id, y: total }
byteLimit: 1000000000
---*/
WITH drives AS (
  SELECT
    sessions.player_id,
    sessions.bay_id,
    shots.*,
    row_number() OVER (PARTITION BY sessions.player_id ORDER BY shots.total DESC, shots.id) AS place
  FROM shots
  JOIN sessions ON sessions.id = shots.session_id
  WHERE shots.club = 'driver'
    AND shots.hit_at >= ?
    AND shots.hit_at < ?
    AND shots.ball_speed >= ?
)
SELECT
  players.id AS player_id,
  players.handicap,
  facilities.name AS facility,
  drives.hit_at,
  drives.ball_speed,
  drives.smash_factor,
  drives.launch_angle,
  drives.spin_rate,
  drives.carry,
  drives.total
FROM drives
JOIN players ON players.id = drives.player_id
JOIN bays ON bays.id = drives.bay_id
JOIN facilities ON facilities.id = bays.facility_id
WHERE drives.place = 1
ORDER BY drives.total DESC, drives.id
LIMIT 20
