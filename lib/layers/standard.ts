/** Registers the adapters of tfjs's own layer classes. */
import { conv1dGradient, conv2dGradient } from './convolution';
import { denseGradient } from './dense';
import { embeddingGradient } from './embedding';
import { registerLayerGradient } from './layer-gradient';
import { layerNormalizationGradient } from './layer-normalization';

registerLayerGradient(denseGradient);
registerLayerGradient(conv1dGradient);
registerLayerGradient(conv2dGradient);
registerLayerGradient(embeddingGradient);
registerLayerGradient(layerNormalizationGradient);
