export const level = 0.25; // it's "50 %" of a half
