import { fill, h } from "../dom.js";

export const view = {
  defaults: {},
  open(page) {
    fill(page.root, h("h1", {}, "admin"));
  },
};
