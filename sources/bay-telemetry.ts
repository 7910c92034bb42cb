import type { FilesContract } from './files-contract';

/** What the bays' controllers measure and send as files. A bay that cannot reach us sends again what it sent. */
export const bayTelemetry: FilesContract = {
  name: 'bay-telemetry',
  mode: 'files',
  prefix: 'telemetry/',
  table: 'bay_telemetry',
  columns: {
    bay_id: { type: 'int', nullable: false, comment: 'bays.id' },
    measured_at: { type: 'timestamptz', nullable: false, comment: "by the bay's clock" },
    firmware: { type: 'string' },
    temperature: { type: 'float', comment: 'of the air, in °C' },
    humidity: { type: 'float', comment: 'of the air, in %' },
    supply_voltage: { type: 'decimal(5, 2)', comment: 'V' },
    lights_on: { type: 'boolean' },
    balls_dispensed: { type: 'long', comment: 'since the controller was installed' },
    radar_ball_speed: { type: 'double', comment: 'of the last shot, in m/s; null when the radar saw none' },
    radar_spin_rate: { type: 'double', comment: 'of the last shot, per minute; null when the radar saw none' },
    radar_signal: { type: 'float', comment: 'in dB; null while the radar is off' },
    calibrated_on: { type: 'date' },
    technician: { type: 'string', pii: 'hash', comment: 'who was signed in for maintenance' },
    technician_phone: { type: 'string', pii: 'drop' },
  },
  key: ['bay_id', 'measured_at'],
  partitionBy: ['month(measured_at)'],
  quality: [
    { rule: 'range', column: 'temperature', min: -40, max: 60, action: 'warn' },
    { rule: 'range', column: 'humidity', min: 0, max: 100, action: 'warn' },
    { rule: 'range', column: 'supply_voltage', min: 0, max: 60, action: 'warn' },
    { rule: 'range', column: 'radar_ball_speed', min: 0, max: 110, action: 'warn' },
    { rule: 'range', column: 'measured_at', min: '2015-01-01', action: 'quarantine' }, // a clock that was never set
  ],
  badRowShare: 0.01,
  maxFileBytes: 1024 ** 3,
  bytesPerCommit: 512 * 1024 ** 2,
  serving: { indexes: [['measured_at']] },
};
