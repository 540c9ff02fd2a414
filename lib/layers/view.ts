/** Lets a layer's own `call` see other fields than the layer has. */
import type { Layer } from './layer-gradient';

/** The layer with `fields` in place of its own; what is written to the view, the layer gets. */
export function viewOf<L extends Layer>(layer: L, fields: object): L {
  return new Proxy(layer, {
    get: (target, name) => Reflect.get(name in fields ? fields : target, name) as unknown,
  });
}
