export const isTriple = (n) => n % 3 === 0;
