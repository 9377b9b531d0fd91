"""RLEEGNet as a plugin: a decoder, and two arms by which it goes on learning online.

Nallani and Ramachandran 2024, "RLEEGNet: Integrating brain-computer interfaces with adaptive AI for
intuitive responsiveness and high-accuracy motor imagery classification", arXiv 2402.09465:
one-versus-rest common spatial patterns that keep the time course (``csp_space``), and on these
components a network (batch normalisation, two one-dimensional convolutions, an LSTM, dense) that is
the Q-network of a DQN, one trial an episode, the class that is chosen the action. Its "100 %" is
not to be expected: a public recipe that reports such a figure projects each trial with the CSP of
its true class before splitting, which gives 100 % on random labels too. Here all filters are fitted
inside the training data only, and at use no label enters.

With one-step episodes nothing follows an action, so the target of Q-learning is the reward itself,
and Q(s, a) the probability that choosing a is right. Exactly one class is right: the Q-values of a
window sum to one, and are its class probabilities. What is told, an action a and a reward r, has
the likelihood ``Q_a^r (1 - Q_a)^(1 - r)``, and its logarithm is what is ascended, by both arms: the
supervised loss is the case of a = the true class, r = 1. **The two differ only in what they are
told.** With two classes and a clean reward they are told the same.

What the description leaves open, and what was chosen:

=====================================  =========================================================
open                                   chosen
=====================================  =========================================================
which filters; the reward; the loss    below; 1 right, 0 wrong; the likelihood above, with rewards
                                       taken to be false a part of the time (`flips`)
filters of each class                  4 of the largest abs(lambda - 1/2); two classes give the same
                                       ones, which are kept once; covariances shrunk (OAS)
signal's rate                          components are averaged down to about 100 Hz
convolutions, kernel, pooling          16 filters each; 1/8 s and 5 points; maximum of 4 and of 4
LSTM, dense                            32 units, the last state; one layer to the classes
window                                 the settings' (they slide; the paper has trials)
regularisation                         dropout 1/2 before dense, weight decay, in training only
exploration                            epsilon-greedy in pre-training on calibration only, from 1 to
                                       0.1; online the best class is shown: a person who practises
                                       must not be shown errors for the decoder's sake
replay                                 the newest trials of the session and, half of each batch, the
                                       calibration, so that a session does not make it forget
target network                         has nothing to do in one-step episodes; here it is the copy
                                       that follows slowly, and it is what decides
batch normalisation online             with the statistics of training
=====================================  =========================================================

Without torch the entry points are listed with the line that installs it. Torch is kept to one
thread in the process (`network`): two make one small window slower, not faster.
"""
