// What our masters call themselves in `GET /info`, so that our clients know one of ours from others.

export const productName = 'dynamic-agent-provisioner'
