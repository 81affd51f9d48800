import { sizeOf } from "../../base/tensor.js";
import { imageDims, type Network } from "./network.js";

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
 * LeNet-5 as the pruning literature has it (Han et al., 2015; Guo et al., 2016; Frankle and Carbin, 2019), after the
 * example that came with Caffe: two 5x5 convolutions of 20 and 50 filters, then 500 and the classes, here with ReLU and
 * max pooling after each convolution; 431,080 parameters for 28x28 images and 10 classes.
 */
export const lenet5: Network = {
  name: "lenet-5",
  emit(layers, input, dims, classes) {
    // The smallest that leaves something: 16 -> 12 -> 6 -> 2 -> 1.
    const [channels, height, width] = imageDims("lenet-5", dims, 16);
    const conv1 = layers.maxPool(layers.relu(layers.conv("conv1", input, channels, 20, 5)), 2);
    const conv2 = layers.maxPool(layers.relu(layers.conv("conv2", conv1, 20, 50, 5)), 2);
    // Twice an unpadded 5x5 convolution and pooling by 2: 28 -> 24 -> 12 -> 8 -> 4.
    const half = (size: number) => Math.floor((size - 4) / 2);
    const features = 50 * half(half(height)) * half(half(width));
    const fc1 = layers.relu(layers.linear("fc1", layers.flatten(conv2), features, 500));
    return layers.linear("fc2", fc1, 500, classes);
  },
};
