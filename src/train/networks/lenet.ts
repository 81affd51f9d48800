import { sizeOf } from "../../base/tensor.js";
import type { Network } from "./network.js";

/** Two hidden layers of 300 and 100 (LeCun et al., 1998), with ReLU: 266,610 parameters for 28x28 images. */
export const lenet300100: Network = {
  name: "lenet-300-100",
  emit(layers, input, dims, classes) {
    const inputs = sizeOf(dims);
    const hidden1 = layers.relu(layers.linear("fc1", layers.flatten(input), inputs, 300));
    const hidden2 = layers.relu(layers.linear("fc2", hidden1, 300, 100));
    return layers.linear("fc3", hidden2, 100, classes);
  },
};

/**
 * LeNet-5 (LeCun et al., 1998) with ReLU after each convolution and max pooling: two 5x5 convolutions of 6 and 16
 * filters, then 120, 84 and the classes; 61,706 parameters for 28x28 images and 10 classes.
 */
export const lenet5: Network = {
  name: "lenet-5",
  emit(layers, input, [channels, height, width], classes) {
    const conv1 = layers.relu(layers.conv("conv1", input, channels, 6, 5, { padding: 2 }));
    const conv2 = layers.relu(layers.conv("conv2", layers.maxPool(conv1, 2), 6, 16, 5));
    // Two poolings by 2 and one unpadded 5x5 convolution: 28 -> 14 -> 10 -> 5.
    const left = (size: number) => Math.floor((Math.floor(size / 2) - 4) / 2);
    const features = 16 * left(height) * left(width);
    const fc1 = layers.relu(layers.linear("fc1", layers.flatten(layers.maxPool(conv2, 2)), features, 120));
    const fc2 = layers.relu(layers.linear("fc2", fc1, 120, 84));
    return layers.linear("fc3", fc2, 84, classes);
  },
};
