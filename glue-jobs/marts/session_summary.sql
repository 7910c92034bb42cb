/*---
description: One row a session, with what was hit in it.
owner: data-engineering
key: [session_id]
tables:
  sessions: SELECT id AS session_id FROM changed
  bays: SELECT sessions.id AS session_id FROM changed JOIN sessions ON sessions.bay_id = changed.id
  shots: SELECT session_id FROM changed
columns:
  - { name: session_id, type: uuid, description: Session. }
  - { name: player_id, type: uuid, description: Who played; nobody when the player was erased. }
  - { name: facility_id, type: int, description: Where. }
  - { name: bay_id, type: int, description: Where in the facility. }
  - { name: started_at, type: timestamp, description: Begin in UTC. }
  - { name: ended_at, type: timestamp, description: "End in UTC, once there is one." }
  - { name: shots, type: long, description: Shots in it. }
  - { name: clubs, type: long, description: Clubs that they were hit with. }
  - { name: first_shot_at, type: timestamp, description: First shot in UTC. }
  - { name: last_shot_at, type: timestamp, description: Last shot in UTC. }
  - { name: carry_mean, type: "decimal(10,6)", unit: m, description: Mean carry. }
  - { name: carry_max, type: "decimal(6,2)", unit: m, description: Longest carry. }
  - { name: side_mean, type: "decimal(10,6)", unit: m, description: "Mean distance from the target line, to either side." }
  - { name: ball_speed_max, type: "decimal(5,2)", unit: m/s, description: Fastest ball. }
---*/
SELECT
  sessions.id AS session_id,
  sessions.player_id,
  bays.facility_id,
  sessions.bay_id,
  sessions.started_at,
  sessions.ended_at,
  count(shots.id) AS shots,
  count(DISTINCT shots.club) AS clubs,
  min(shots.hit_at) AS first_shot_at,
  max(shots.hit_at) AS last_shot_at,
  avg(shots.carry) AS carry_mean,
  max(shots.carry) AS carry_max,
  avg(abs(shots.side)) AS side_mean,
  max(shots.ball_speed) AS ball_speed_max
FROM sessions
JOIN bays ON bays.id = sessions.bay_id
LEFT JOIN shots ON shots.session_id = sessions.id
GROUP BY
  sessions.id,
  sessions.player_id,
  bays.facility_id,
  sessions.bay_id,
  sessions.started_at,
  sessions.ended_at
