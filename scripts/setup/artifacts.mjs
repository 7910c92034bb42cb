/**
 * A file of the Maven repository.
 * @typedef {{organisation: string, name: string, version: string, type: string, sha256: string}} Artifact
 */

/** What Spark gets beside its own jars. @type {Artifact[]} */
export const SPARK_JARS = [
  {
    organisation: 'org.apache.iceberg',
    name: 'iceberg-spark-runtime-3.5_2.12',
    version: '1.10.0',
    type: 'jar',
    sha256: '70f9471870b2d456167d703c829f098a446b86bb1379eee338c0efa03a341026',
  },
  {
    organisation: 'org.apache.iceberg',
    name: 'iceberg-aws-bundle',
    version: '1.10.0',
    type: 'jar',
    sha256: '172370cfc32a5f1ae5399b210e86fc04a366dc29a112d97ac8ffc74df7525596',
  },
  {
    organisation: 'org.postgresql',
    name: 'postgresql',
    version: '42.7.3',
    type: 'jar',
    sha256: 'a2644cbfba1baa145ff7e8c8ef582a6eed7a7ec4ca792f7f054122bdec756268',
  },
];

/** @type {Artifact} */
export const TRINO_SERVER = {
  organisation: 'io.trino',
  name: 'trino-server-core',
  version: '476',
  type: 'tar.gz',
  sha256: '0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158',
};

/** @type {Artifact} */
export const TRINO_ICEBERG_PLUGIN = {
  organisation: 'io.trino',
  name: 'trino-iceberg',
  version: '476',
  type: 'zip',
  sha256: '99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c',
};
