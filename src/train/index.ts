/**
 * Training: gradients and updates of a model in memory, and what a training run is made of.
 *
 * @module lightning-m1/train
 */
export { type Example, type Losses, type Trainable, Trainer, type TrainerOptions } from "./trainer.js";
