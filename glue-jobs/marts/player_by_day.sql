/*---
description: One row a player and day on which they hit a ball.
owner: data-engineering
key: [player_id, day]
tables:
  shots: >-
    SELECT sessions.player_id, CAST(changed.hit_at AS date) AS day
    FROM changed JOIN sessions ON sessions.id = changed.session_id
  sessions: >-
    SELECT changed.player_id, CAST(shots.hit_at AS date) AS day
    FROM changed JOIN shots ON shots.session_id = changed.id
columns:
  - { name: player_id, type: uuid, description: Who played. }
  - { name: day, type: date, description: Day in UTC. }
  - { name: sessions, type: long, description: Sessions of the day. }
  - { name: shots, type: long, description: Shots of the day. }
  - { name: clubs, type: long, description: Clubs that they were hit with. }
  - { name: carry_mean, type: "decimal(10,6)", unit: m, description: Mean carry. }
  - { name: carry_max, type: "decimal(6,2)", unit: m, description: Longest carry. }
  - { name: side_mean, type: "decimal(10,6)", unit: m, description: "Mean distance from the target line, to either side." }
  - { name: ball_speed_max, type: "decimal(5,2)", unit: m/s, description: Fastest ball. }
  - { name: smash_factor_mean, type: "decimal(8,7)", description: Mean of ball speed over club speed. }
---*/
SELECT
  sessions.player_id,
  CAST(shots.hit_at AS date) AS day,
  count(DISTINCT sessions.id) AS sessions,
  count(*) AS shots,
  count(DISTINCT shots.club) AS clubs,
  avg(shots.carry) AS carry_mean,
  max(shots.carry) AS carry_max,
  avg(abs(shots.side)) AS side_mean,
  max(shots.ball_speed) AS ball_speed_max,
  avg(shots.smash_factor) AS smash_factor_mean
FROM shots
JOIN sessions ON sessions.id = shots.session_id
WHERE sessions.player_id IS NOT NULL
GROUP BY sessions.player_id, CAST(shots.hit_at AS date)
