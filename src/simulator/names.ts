// The names of a world: its cluster, the provisioner that is watched, and the one that intrudes.
export const clusterId = 'cluster'
export const poolName = 'default'
export const mainName = 'main'
export const secondName = 'other'
