/*---
description: At which hours of the day, on the facilities' own clocks, the bays of a country are used.
owner: data-engineering
parameters:
  - name: country
    type: varchar
    description: "Country of the facilities: two letters of ISO 3166."
    default: DK
  - name: from_day
    type: date
    description: First day of the period, on the facilities' own clocks.
    default: 2026-04-01
  - name: until_day
    type: date
    description: The day after the last day of the period, on the facilities' own clocks.
    default: 2027-01-01
columns:
  - { name: hour, type: bigint, unit: h, description: "Hour of the day in which sessions began, 0 to 23." }
  - { name: sessions, type: bigint, description: Sessions that began in this hour. }
  - { name: bays, type: bigint, description: Bays in which they took place. }
  - { name: players, type: bigint, description: Players who took part; those who were erased are not counted. }
  - { name: minutes_mean, type: double, unit: min, description: Mean duration of the sessions that have ended. }
chart: { type: bar, x: hour, y: sessions }
byteLimit: 100000000
---*/
SELECT
  hour(sessions.local_start) AS hour,
  count(*) AS sessions,
  count(DISTINCT sessions.bay_id) AS bays,
  count(DISTINCT sessions.player_id) AS players,
  round(avg(date_diff('second', sessions.started_at, sessions.ended_at)) / 60, 1) AS minutes_mean
FROM sessions
JOIN bays ON bays.id = sessions.bay_id
JOIN facilities ON facilities.id = bays.facility_id
WHERE facilities.country = ?
  AND sessions.local_start >= ?
  AND sessions.local_start < ?
GROUP BY hour(sessions.local_start)
ORDER BY hour
