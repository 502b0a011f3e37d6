// Moments in the time zone of this site (OVEN_TIME_ZONE), wherever its readers are.

const zone = { timeZone: document.documentElement.dataset.timeZone || undefined };

/** Hours and minutes. */
export const minutes = (moment) => new Date(moment).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...zone });

/** Hours, minutes and seconds; nothing for what is no moment. */
export function seconds(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString("en-GB", zone);
}

/** Date, time and the zone's name. */
export const exact = (moment) => new Date(moment).toLocaleString("en-GB", { ...zone, timeZoneName: "short" });
