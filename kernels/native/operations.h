// The addon's TensorFlow operations; each is defined in the file of its name.
#pragma once
#include "operation.h"

namespace bergson {

Operation project_factors_operation();
Operation project_patches_operation();
Operation project_normalized_operation();
Operation project_normalized_patches_operation();
Operation sum_products_operation();
Operation write_rows_operation();
Operation depthwise_operation();
Operation draw_columns_operation();
Operation activation_operation();
Operation activation_gradient_operation();
Operation gated_activation_operation();
Operation gated_activation_gradients_operation();
Operation normalization_operation();
Operation normalization_gradient_operation();
Operation causal_attention_operation();
Operation causal_attention_gradients_operation();
Operation linear_operation();
Operation cross_entropy_operation();
Operation cross_entropy_gradient_operation();

}  // namespace bergson
