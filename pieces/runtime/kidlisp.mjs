// A small KidLisp: read a program, then run it once for every frame.
//
//   wipe navy                    ; a line needs no outer brackets
//   (repeat 5 i (circle (* i 20) 40 9))
//   (later petal x (circle x 40 (wiggle 9)))

import { isColour, words } from './kidlisp-words.mjs';

/** @typedef {number | string | {text: string} | Node[]} Node */
/** @typedef {Map<string, any>} Scope */
/** @typedef {import('./kidlisp-words.mjs').Host} Host */
/** @typedef {{host: Host, vocabulary: Record<string, any>, scopes: Scope[], work: number}} Run */

const MOST_WORK = 200_000; // expressions in one frame
const MOST_DEPTH = 100; // calls within calls

const TOKEN = /;[^\n]*|"([^"\n]*)"|[(),\n]|[^\s(),;"]+/g;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;
const INFIX = /^([a-z]\w*)([*/%+-])(\d+\.?\d*|[a-z]\w*)$/i; // w/2

/** A mistake in a program, told to its author. */
export class KidLispError extends Error {}

// Reading -------------------------------------------------------------------

/**
 * @param {string} source
 * @returns {Node[]} expressions
 */
export function parse(source) {
  const tokens = [...source.matchAll(TOKEN)].filter((token) => token[0][0] !== ';');
  let at = 0;

  /** @returns {Node[]} */
  const readList = () => {
    const list = [];
    for (; tokens[at]?.[0] !== ')'; ) {
      if (at >= tokens.length) throw new KidLispError('missing )');
      if (isBreak(tokens[at][0])) at++;
      else list.push(read());
    }
    at++;
    return list;
  };
  /** @returns {Node} */
  const read = () => {
    const token = tokens[at++];
    if (token[0] === '(') return readList();
    if (token[0] === ')') throw new KidLispError('one ) too many');
    return token[1] !== undefined ? { text: token[1] } : atom(token[0]);
  };
  /** @returns {Node[]} */
  const readLine = () => {
    const list = [];
    while (at < tokens.length && !isBreak(tokens[at][0])) list.push(read());
    return list;
  };

  const program = [];
  while (at < tokens.length) {
    if (isBreak(tokens[at][0])) at++;
    else program.push(tokens[at][0] === '(' ? read() : readLine());
  }
  return program;
}

/** @param {string} token */
const isBreak = (token) => token === '\n' || token === ',';

/**
 * @param {string} token
 * @returns {Node}
 */
function atom(token) {
  if (NUMBER.test(token)) return Number(token);
  const infix = isColour(token) ? null : INFIX.exec(token);
  return infix ? [infix[2], atom(infix[1]), atom(infix[3])] : token;
}

// Running -------------------------------------------------------------------

/**
 * Run each expression, and return the last one's value and what went wrong.
 * @param {Node[]} program
 * @param {Host} host
 * @returns {{value: any, errors: string[]}}
 */
export function run(program, host) {
  /** @type {Run} */
  const state = { host, vocabulary: words(host), scopes: [new Map()], work: 0 };
  const errors = new Set();
  let value = 0;
  for (const expression of program) {
    try {
      value = evaluate(expression, state);
    } catch (error) {
      if (!(error instanceof KidLispError)) throw error;
      errors.add(error.message);
      state.scopes.length = 1;
      if (state.work > MOST_WORK) break;
    }
  }
  return { value, errors: [...errors] };
}

/**
 * @param {Node} node
 * @param {Run} state
 * @returns {any}
 */
function evaluate(node, state) {
  spend(state);
  if (typeof node === 'number') return node;
  if (typeof node === 'string') return lookUp(node, state);
  if (!Array.isArray(node)) return node.text;
  if (node.length === 0) return 0;
  const [head, ...rest] = node;
  if (typeof head === 'string' && Object.hasOwn(FORMS, head)) return FORMS[head](rest, state);
  return call(head, rest, state);
}

/** @param {Run} state */
function spend(state) {
  if (++state.work > MOST_WORK) throw new KidLispError('too much work for one frame');
}

/**
 * @param {string} name
 * @param {Run} state
 */
function lookUp(name, state) {
  for (let i = state.scopes.length - 1; i >= 0; i--) {
    if (state.scopes[i].has(name)) return state.scopes[i].get(name);
  }
  if (Object.hasOwn(state.vocabulary, name)) return state.vocabulary[name];
  if (isColour(name)) return name;
  throw new KidLispError(`unknown word: ${name}`);
}

/**
 * @param {Node} head
 * @param {Node[]} rest
 * @param {Run} state
 */
function call(head, rest, state) {
  const callee = evaluate(head, state);
  const values = rest.map((node) => evaluate(node, state));
  if (typeof callee === 'function') return callee(...values);
  if (callee?.body) return invoke(callee, values, state);
  if (typeof head === 'string' && isColour(head)) return state.host.wipe(head); // a bare colour
  return callee;
}

/**
 * Call a function made by `later`.
 * @param {{params: string[], body: Node[]}} made
 * @param {any[]} values
 * @param {Run} state
 */
function invoke(made, values, state) {
  if (state.scopes.length > MOST_DEPTH) throw new KidLispError('too deep');
  return within(state, made.params.map((name, i) => [name, values[i] ?? 0]), made.body);
}

/**
 * Run a body with names of its own.
 * @param {Run} state
 * @param {[string, any][]} names
 * @param {Node[]} body
 */
function within(state, names, body) {
  state.scopes.push(new Map(names));
  const value = each(body, state);
  state.scopes.pop();
  return value;
}

/**
 * @param {Node[]} body
 * @param {Run} state
 */
const each = (body, state) => body.reduce((_, node) => evaluate(node, state), /** @type {any} */ (0));

/** The forms that choose what to evaluate. @type {Record<string, (rest: any[], state: Run) => any>} */
const FORMS = {
  def([name, node], state) {
    const value = evaluate(node, state);
    state.scopes[state.scopes.length - 1].set(name, value);
    return value;
  },
  later([name, ...rest], state) {
    const split = rest.findIndex((node) => typeof node !== 'string');
    const cut = split < 0 ? rest.length : split;
    state.scopes[0].set(name, { params: rest.slice(0, cut), body: rest.slice(cut) });
    return 0;
  },
  if([test, yes, no], state) {
    if (evaluate(test, state)) return evaluate(yes, state);
    return no === undefined ? 0 : evaluate(no, state);
  },
  repeat([count, ...rest], state) {
    const counter = typeof rest[0] === 'string' && rest.length > 1 ? rest.shift() : '';
    const total = Math.floor(evaluate(count, state));
    let value = 0;
    for (let i = 0; i < total; i++) {
      spend(state);
      value = within(state, counter ? [[counter, i]] : [], rest);
    }
    return value;
  },
  do: (body, state) => each(body, state),
};
