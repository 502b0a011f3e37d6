// Types shared by the runtime and the pieces. Nothing here runs.

/**
 * A colour: a CSS colour, a grey (0-255), or red, green, blue and perhaps
 * alpha (0-255 each).
 * @typedef {string | number | number[]} Colour
 */

/**
 * What a piece is handed on each call.
 * @typedef {object} Api
 * @property {{width: number, height: number}} screen size in art pixels
 * @property {number} time milliseconds since the first frame
 * @property {number} frame sixtieths of a second since the first frame
 * @property {number} step simulation steps (1/120 s) done so far
 * @property {string} name
 * @property {string[]} params what followed the name, split at `~`
 * @property {URLSearchParams} query
 * @property {string} source KidLisp source, empty for other pieces
 * @property {() => number} random seeded by the piece's name and params
 * @property {HTMLElement} stage the element to draw in
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} context
 * @property {(...colour: any[]) => void} wipe
 * @property {(...colour: any[]) => void} ink
 * @property {(width: number) => void} thick
 * @property {(x1: number, y1: number, x2: number, y2: number) => void} line
 * @property {(x: number, y: number, w: number, h: number, outline?: boolean) => void} box
 * @property {(x: number, y: number, r: number, outline?: boolean) => void} circle
 * @property {(points: number[][], outline?: boolean) => void} poly
 * @property {(x: number, y: number) => void} plot
 * @property {(text: string, x: number, y: number, size?: number, font?: string) => void} write
 */

/**
 * A pointer or key event in art pixels.
 * @typedef {object} Act
 * @property {'touch' | 'draw' | 'lift' | 'move' | 'key'} type
 * @property {number} x
 * @property {number} y
 * @property {string} key
 */

/**
 * What a piece's module may export.
 * @typedef {object} Piece
 * @property {'2d' | 'webgl' | 'dom'} [surface] what the runtime prepares; 2d unless told
 * @property {boolean} [signals] false to keep acPieceReady unset
 * @property {(api: Api) => void | Promise<void>} [boot]
 * @property {(api: Api) => void} [sim]
 * @property {(api: Api) => void} [paint]
 * @property {(api: Api, event: Act) => void} [act]
 */

export {};
