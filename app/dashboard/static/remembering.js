/** Questions asked once, for views in which a control may change only what is drawn. */

/**
 * Ask as `page.get` does, but each question once until `forget()`. What is still on its way is shared by those who ask
 * for the same words of the address: with newer ones it is taken back, and asked anew.
 * @returns {((path: string, query?: Object) => Promise<Object>) & {forget: () => void}}
 */
export function remembering(page) {
  const kept = new Map();
  const ask = (path, query = {}) => {
    const question = JSON.stringify([path, query]);
    const known = kept.get(question);
    if (known?.answered || known?.turn === page.turn) return known.asked;
    const fresh = { turn: page.turn, answered: false };
    const drop = () => { if (kept.get(question) === fresh) kept.delete(question); };
    fresh.asked = page.get(path, query);
    fresh.asked.then(() => { fresh.answered = true; }, drop);
    kept.set(question, fresh);
    return fresh.asked;
  };
  ask.forget = () => kept.clear();
  return ask;
}
