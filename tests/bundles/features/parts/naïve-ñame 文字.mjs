export const héllo = await Promise.resolve('wörld');
