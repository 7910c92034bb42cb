/*---
description: One row a player and club, over all that the player ever hit with it.
owner: data-engineering
key: [player_id, club]
tables:
  shots: >-
    SELECT sessions.player_id, changed.club
    FROM changed JOIN sessions ON sessions.id = changed.session_id
  sessions: >-
    SELECT changed.player_id, shots.club
    FROM changed JOIN shots ON shots.session_id = changed.id
columns:
  - { name: player_id, type: uuid, description: Who played. }
  - { name: club, type: string, description: Club. }
  - { name: shots, type: long, description: Shots with it. }
  - { name: first_shot_at, type: timestamp, description: First shot in UTC. }
  - { name: last_shot_at, type: timestamp, description: Last shot in UTC. }
  - { name: ball_speed_mean, type: "decimal(9,6)", unit: m/s, description: Mean ball speed. }
  - { name: club_speed_mean, type: "decimal(9,6)", unit: m/s, description: Mean club speed. }
  - { name: smash_factor_mean, type: "decimal(8,7)", description: Mean of ball speed over club speed. }
  - { name: launch_angle_mean, type: "decimal(9,6)", unit: degrees, description: Mean launch angle. }
  - { name: spin_rate_mean, type: "decimal(14,4)", unit: revolutions per minute, description: Mean spin. }
  - { name: carry_mean, type: "decimal(10,6)", unit: m, description: Mean carry. }
  - { name: carry_deviation, type: "decimal(10,6)", unit: m, description: Standard deviation of the carry; none for one shot. }
  - { name: carry_max, type: "decimal(6,2)", unit: m, description: Longest carry. }
  - { name: total_mean, type: "decimal(10,6)", unit: m, description: Mean distance. }
  - { name: side_mean, type: "decimal(10,6)", unit: m, description: "Mean distance from the target line, to either side." }
---*/
WITH clubs AS (
  SELECT
    sessions.player_id,
    shots.club,
    count(*) AS shots,
    min(shots.hit_at) AS first_shot_at,
    max(shots.hit_at) AS last_shot_at,
    avg(shots.ball_speed) AS ball_speed_mean,
    avg(shots.club_speed) AS club_speed_mean,
    avg(shots.smash_factor) AS smash_factor_mean,
    avg(shots.launch_angle) AS launch_angle_mean,
    avg(CAST(shots.spin_rate AS decimal(10, 0))) AS spin_rate_mean,
    avg(shots.carry) AS carry_mean,
    max(shots.carry) AS carry_max,
    avg(shots.total) AS total_mean,
    avg(abs(shots.side)) AS side_mean,
    sum(shots.carry) AS carries,
    sum(shots.carry * shots.carry) AS squares
  FROM shots
  JOIN sessions ON sessions.id = shots.session_id
  WHERE sessions.player_id IS NOT NULL
  GROUP BY sessions.player_id, shots.club
)
SELECT
  player_id,
  club,
  shots,
  first_shot_at,
  last_shot_at,
  ball_speed_mean,
  club_speed_mean,
  smash_factor_mean,
  launch_angle_mean,
  spin_rate_mean,
  carry_mean,
  -- From exact sums: a standard deviation of floating numbers depends on the order in which they come.
  CASE WHEN shots > 1 THEN
    sqrt(CAST(shots * squares - carries * carries AS double) / CAST(shots * (shots - 1) AS double))
  END AS carry_deviation,
  carry_max,
  total_mean,
  side_mean
FROM clubs
